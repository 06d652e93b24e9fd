"""Who may do what: attribute rules reduced to SQL. No I/O."""
