"""LangChain's own tests of chat models, for each of its clients of Weir and each format of a provider behind it."""

import base64
import os
from types import SimpleNamespace

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests, chat_models

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
DOCUMENT = b"%PDF-1.1\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"
# The suite fetches its picture and its document from the web.
chat_models.httpx = SimpleNamespace(
    get=lambda url, **_: SimpleNamespace(content=DOCUMENT if url.endswith(".pdf") else PICTURE)
)

URL, KEY = os.environ["WEIR_URL"], os.environ["WEIR_KEY"]
MODELS = dict(pair.split("=", 1) for pair in os.environ["WEIR_MODELS"].split(","))

OPENAI = {"base_url": f"{URL}/v1", "api_key": KEY, "stream_usage": True}
CLIENTS = {
    "ChatOpenAI": (ChatOpenAI, OPENAI),
    "ChatOpenAIOverResponses": (ChatOpenAI, {**OPENAI, "use_responses_api": True}),
    "ChatAnthropic": (ChatAnthropic, {"base_url": URL, "api_key": KEY}),
}


def suite(client, params, reference, method):
    anthropic = client is ChatAnthropic

    class Suite(ChatModelIntegrationTests):
        chat_model_class = client
        chat_model_params = {**params, "model": reference}
        structured_output_kwargs = {"method": method}
        supports_json_mode = not anthropic
        supports_image_inputs = True
        # Bedrock takes the bytes only.
        supports_image_urls = not reference.startswith("converse/")
        supports_image_tool_message = True
        supports_pdf_inputs = True
        supports_anthropic_inputs = anthropic

        if anthropic and method == "json_schema":

            @pytest.mark.xfail(reason="This client knows no models of Pydantic 1 here.", strict=True)
            def test_structured_output_pydantic_2_v1(self, model):
                super().test_structured_output_pydantic_2_v1(model)

    return Suite


for name, (client, params) in CLIENTS.items():
    for provider, model in MODELS.items():
        for method in ("json_schema", "function_calling"):
            case = f"Test{name}To{provider.capitalize()}With{method.title().replace('_', '')}"
            globals()[case] = type(case, (suite(client, params, f"{provider}/{model}", method),), {})
