import { z } from 'zod';
import { CALL_STATUSES } from '../../calls/index.js';
import { idText, text } from '../http/fields.js';
import { ListQuery } from '../http/list.js';

export const CallQuery = ListQuery.extend({
  project_id: idText('project').optional(),
  api_key_id: idText('apiKey').optional(),
  model: text(512).optional().describe('The model that the caller asked for, as `provider/model-id`.'),
  status: z.enum(CALL_STATUSES).optional(),
});
export type CallQuery = z.output<typeof CallQuery>;
