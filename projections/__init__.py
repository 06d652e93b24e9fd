"""The read side: tables folded from the record in batches, and the paged queries over them."""
