import type { ProviderType } from '../provider.js';
import { compatible, entry } from './entry.js';

const CHATGPT = 'https://chatgpt.com/backend-api/codex';

/** Used by a person's login instead of a key. Off until the operator names a client id of their own: see WEIR_CONNECTIONS. */
export const SUBSCRIPTIONS: readonly ProviderType[] = [
  compatible('copilot', 'GitHub Copilot, by login', 'https://api.githubcopilot.com', [], {
    subscription: {
      flow: 'github',
      termsUrl: 'https://docs.github.com/en/site-policy/github-terms/github-terms-for-additional-products-and-features',
      headers: ['editor-version', 'weir/0.1', 'editor-plugin-version', 'weir/0.1', 'copilot-integration-id', 'vscode-chat'],
    },
    aliases: ['github-copilot'],
  }),
  entry('openai-codex', "ChatGPT's Codex backend, by login", CHATGPT, [], {
    dialects: ['openai-responses'],
    subscription: {
      flow: 'chatgpt',
      termsUrl: 'https://openai.com/policies/terms-of-use/',
      headers: ['openai-beta', 'responses=experimental', 'originator', 'weir'],
    },
    quirks: { statelessStreams: true },
    aliases: ['openai_codex', 'codex'],
  }),
  compatible('minimax-oauth', 'MiniMax, by login', 'https://api.minimax.io/v1', [], {
    subscription: { flow: 'minimax', termsUrl: 'https://platform.minimax.io/protocol/terms-of-service', headers: [] },
    quirks: { singleSystem: true },
    aliases: ['minimax-portal', 'minimax-oauth-global', 'minimax-portal-global'],
    regions: { 'https://api.minimaxi.com/v1': ['minimax-oauth-cn', 'minimax-portal-cn'] },
  }),
  compatible('qwen-code', 'Qwen Code, by login', 'https://dashscope.aliyuncs.com/compatible-mode/v1', [], {
    subscription: { flow: 'qwen', termsUrl: 'https://chat.qwen.ai/legal-agreement/terms-of-service', headers: [] },
    aliases: ['qwen-oauth', 'qwen_oauth'],
  }),
];
