import { publicId } from '../../kernel/ids.js';
import type { Setter } from '../../kernel/setter.js';
import type { Route, RouteTarget } from '../../routes/index.js';
import { unixSeconds } from '../http/fields.js';
import type { RouteObject } from './schema.js';

export const renderRoute = (route: Route): RouteObject => ({
  id: publicId('route', route.id),
  object: 'route',
  name: route.name,
  match: route.match,
  targets: route.targets.map(renderTarget),
  strategy: route.strategy,
  retries: route.retries,
  attempts: route.attempts,
  deadline_ms: route.deadlineMs,
  fallback_on: route.fallbackOn as RouteObject['fallback_on'],
  when: route.when && {
    budget: route.when.budget && publicId('budget', route.when.budget),
    [route.when.budget === null ? 'budget_used_percent' : 'used_percent']: route.when.usedPercent,
    use: route.when.use.map(renderTarget),
  },
  set_by: route.setBy as Setter,
  version: route.version,
  external_id: route.externalId,
  metadata: route.metadata as Record<string, string>,
  created_at: unixSeconds(route.createdAt),
});

const renderTarget = ({ model, weight, credential }: RouteTarget) => ({
  model,
  weight,
  credential: credential && publicId('credential', credential),
});
