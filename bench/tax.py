"""The function that everybody runs: the first seed's Calculate Tax."""

import json

SLUG = "calculate-tax"
NAME = "Calculate Tax"
PARAMS = {"amount": 1000, "rate": 0.15}
EXPECT = "1150.0"
BODY = json.dumps({"params": PARAMS})
ASYNC_BODY = json.dumps({"params": PARAMS, "async": True})
CODE = """def main(params, user_data):
    amount = params.get('amount', 0)
    rate = params.get('rate', 0.1)
    tax = amount * rate
    return {'amount': amount, 'tax': tax, 'total': amount + tax}"""
