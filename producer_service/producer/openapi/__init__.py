"""The OpenAPI document, made from the models of requests and responses."""
