import type { z } from 'zod';
import type { Tenant } from '../../tenants/index.js';
import type { SettingsObject } from './schema.js';

export const renderSettings = ({ keepsAnswers, defaultModel }: Tenant): z.input<typeof SettingsObject> => ({
  object: 'settings',
  keep_answers: keepsAnswers,
  default_model: defaultModel,
});
