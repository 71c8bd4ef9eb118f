from flask import Blueprint, Response, jsonify

api_document = Blueprint("api_document", __name__)


@api_document.get("/openapi.json")
def openapi() -> Response:
    return jsonify({})
