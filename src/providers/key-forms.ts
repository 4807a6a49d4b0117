import { isVendorAddress } from './catalog/catalog.js';

/** Keys that tell by their beginning whose they are, as of November 2026; and the domains at which they are taken. */
const KEY_FORMS: readonly { begins: RegExp; vendor: string; domains: readonly string[] }[] = [
  { begins: /^sk-ant-/, vendor: 'Anthropic', domains: ['anthropic.com'] },
  { begins: /^sk-(?:proj|svcacct|admin)-/, vendor: 'OpenAI', domains: ['openai.com'] },
  { begins: /^sk-or-/, vendor: 'OpenRouter', domains: ['openrouter.ai'] },
  { begins: /^AIza/, vendor: 'Google', domains: ['googleapis.com'] },
  { begins: /^gsk_/, vendor: 'Groq', domains: ['groq.com'] },
  { begins: /^xai-/, vendor: 'xAI', domains: ['x.ai'] },
  { begins: /^pplx-/, vendor: 'Perplexity', domains: ['perplexity.ai'] },
  { begins: /^hf_/, vendor: 'Hugging Face', domains: ['huggingface.co'] },
  { begins: /^nvapi-/, vendor: 'NVIDIA', domains: ['nvidia.com'] },
  { begins: /^r8_/, vendor: 'Replicate', domains: ['replicate.com'] },
  { begins: /^csk-/, vendor: 'Cerebras', domains: ['cerebras.ai'] },
  { begins: /^fw_/, vendor: 'Fireworks', domains: ['fireworks.ai'] },
  { begins: /^A[KS]IA[0-9A-Z]{16}/, vendor: 'AWS', domains: ['amazonaws.com'] },
  { begins: /^(?:gh[pousr]_|github_pat_)/, vendor: 'GitHub', domains: ['github.com', 'github.ai', 'githubcopilot.com', 'azure.com'] },
];

/**
 * Whose key it is by its form, where that is another vendor than the one at the address. Null: it may be right. At an address that is no vendor's
 * there may be a server that takes any.
 */
export function otherVendorOf(key: string, baseUrl: string): string | null {
  const form = KEY_FORMS.find(({ begins }) => begins.test(key));
  if (!form || !isVendorAddress(baseUrl)) return null;
  const { hostname } = new URL(baseUrl);
  return form.domains.some((domain) => hostname === domain || hostname.endsWith(`.${domain}`)) ? null : form.vendor;
}
