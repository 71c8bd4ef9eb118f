"""The OpenAPI document, made from the models of responses."""
