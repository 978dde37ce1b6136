"""The same JavaScript handler under Shoal, under bare `deno serve`, and under Cloudflare's workerd."""
