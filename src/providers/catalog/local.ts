import type { ProviderType } from '../provider.js';
import { OLLAMA_STOPS, VLLM_STOPS } from './client-gone.js';
import { compatible, entry } from './entry.js';

/** Servers on one's own machine. Calls go there only once the deployment allows the address: see WEIR_EGRESS_ALLOW. */
export const LOCAL: readonly ProviderType[] = [
  entry('ollama', 'Ollama', 'http://localhost:11434', ['OLLAMA_API_KEY'], { dialects: ['ollama'], clientGone: OLLAMA_STOPS }),
  compatible('lmstudio', 'LM Studio', 'http://localhost:1234/v1', ['LMSTUDIO_API_KEY'], { aliases: ['lm-studio'] }),
  compatible('llamacpp', 'llama.cpp', 'http://localhost:8080/v1', ['LLAMACPP_API_KEY'], { aliases: ['llama.cpp'] }),
  compatible('litellm', 'LiteLLM', 'http://localhost:4000/v1', ['LITELLM_API_KEY'], { aliases: ['lite-llm'] }),
  compatible('vllm', 'vLLM', 'http://localhost:8000/v1', ['VLLM_API_KEY'], { clientGone: VLLM_STOPS }),
  compatible('sglang', 'SGLang', 'http://localhost:30000/v1', ['SGLANG_API_KEY']),
  compatible('osaurus', 'Osaurus', 'http://localhost:1337/v1', ['OSAURUS_API_KEY']),
  compatible('atomic-chat', 'Atomic Chat', 'http://127.0.0.1:1337/v1', ['ATOMIC_CHAT_API_KEY']),
];
