"""The usual stack of webhooks in Python, Flask on gunicorn's threads; it only sends the body back."""

from flask import Flask, Response, request

app = Flask(__name__)


@app.post("/<path:_>")
def echo(_: str) -> Response:
    """Answer with the request's own bytes."""
    return Response(request.get_data(), mimetype="application/json")
