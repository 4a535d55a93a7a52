"""Sessions that outlive the server: their store on the disk."""
