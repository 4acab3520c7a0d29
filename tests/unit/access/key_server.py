"""An issuer of tokens, with a web server for its key set."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import ec


class KeyServer:
    """An issuer's web server: its key set can change, and it can be slow."""

    def __init__(self):
        self.keys, self.asked, self.may_answer = {}, 0, threading.Event()
        self.may_answer.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked += 1
                outer.may_answer.wait(10)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(outer.key_set())

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def add(self, key_id):
        self.keys[key_id] = ec.generate_private_key(ec.SECP256R1())

    def key_set(self):
        to_jwk = jwt.algorithms.ECAlgorithm.to_jwk
        entries = [{**to_jwk(key.public_key(), as_dict=True), "kid": kid} for kid, key in self.keys.items()]
        return json.dumps({"keys": entries}).encode()

    def token(self, key_id):
        claims = {
            "iss": "https://login.example",
            "aud": "raygate",
            "sub": "bob",
            "role": "predictor",
            "exp": time.time() + 60,
        }
        return jwt.encode(claims, self.keys[key_id], "ES256", headers={"kid": key_id})
