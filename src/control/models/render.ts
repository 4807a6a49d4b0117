import type { z } from 'zod';
import { publicId } from '../../kernel/ids.js';
import type { ModelEntry } from '../../models/index.js';
import { unixSeconds } from '../http/fields.js';
import type { ModelObject } from './schema.js';

export const renderModel = (entry: ModelEntry): z.input<typeof ModelObject> => ({
  id: publicId('model', entry.id),
  object: 'organization.model',
  provider: entry.provider,
  model: entry.model,
  context_window: entry.contextWindow,
  max_output_tokens: entry.maxOutputTokens,
  tools: entry.tools,
  vision: entry.vision,
  reasoning: entry.reasoning,
  created_at: unixSeconds(entry.createdAt),
});
