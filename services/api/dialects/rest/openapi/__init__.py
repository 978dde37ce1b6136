"""The description of this dialect in OpenAPI 3.1, made from the route table and the structs of its bodies."""
