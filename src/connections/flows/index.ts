import type { SubscriptionLogin } from '../../providers/index.js';
import { chatgpt } from './chatgpt.js';
import type { Flow } from './flow.js';
import { github } from './github.js';
import { minimax } from './minimax.js';
import { qwen } from './qwen.js';

export const FLOWS: Readonly<Record<SubscriptionLogin['flow'], Flow>> = { github, chatgpt, minimax, qwen };
