"""Reading bundles that anybody may have sent, in a process of its own with limits."""
