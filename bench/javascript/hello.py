"""The handler that is measured: the second seed's first example."""

NAME = "hello-world"
CODE = """export default async function handler(req) {
 return new Response(JSON.stringify({ message: 'Hello!' }), {
 headers: { 'Content-Type': 'application/json' }
 });
}"""
BODY = "{}"
EXPECT = "Hello!"
