"""What fills the store: discover → load → chunk → embed → commit."""
