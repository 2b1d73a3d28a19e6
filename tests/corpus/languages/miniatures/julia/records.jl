{"prompt": "What is two and two?", "answer": "four"}
{"prompt": "What is three and one?", "answer": "four"}
