module main

import net.http

struct Reply {
	code int
}

fn main() {
	text := http.get_text('https://example.org')
	println(text)
}
