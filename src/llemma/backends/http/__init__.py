"""`http://host:port/v1#model`: any server that speaks the OpenAI API (vLLM, SGLang, llama.cpp, `transformers serve`).

address     the model as the user writes it, taken apart
hello       what is asked of a server before the first request: its models, its dialect
wire        requests and completions as JSON
context     prompts that are too long for the server's model
client      one HTTP exchange, and when to try again
likelihood  the probabilities of a given text, where a server tells them
background  an event loop that cannot outlive its caller
backend     the backend itself
"""

from llemma.backends.http.backend import Http, open_http, open_https

__all__ = ["Http", "open_http", "open_https"]
