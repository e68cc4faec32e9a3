"""What the admin API is, as an OpenAPI 3.1 document, made from its operations and models."""
