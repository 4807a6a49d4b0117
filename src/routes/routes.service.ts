import { Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { found } from '../kernel/found.js';
import { nameOf, type Route } from './route.js';
import { type NewRoute, RoutesRepository } from './routes.repository.js';

/** What is set. Whether its targets exist is for whoever knows providers. */
@Injectable()
export class RoutesService {
  constructor(private readonly repository: RoutesRepository) {}

  /** @param max how many the owner may have; null: any number. @throws WeirError conflict, too_many */
  create(route: NewRoute, max: number | null): Promise<Route> {
    return this.repository.alone(route.tenantId, async (routes) => {
      const others = await routes.list();
      if (max !== null && others.length >= max)
        throw new WeirError('too_many', { message: `A tenant may have at most ${max} routes. Delete one first.`, fields: { limit: max } });
      assertReached(route, others);
      return routes.insert(route);
    });
  }

  /** @throws WeirError not_found */
  async get(tenantId: string | null, id: string): Promise<Route> {
    return found('route', await this.repository.find(tenantId, id));
  }

  list(tenantId: string | null): Promise<Route[]> {
    return this.repository.list(tenantId);
  }

  /** @param version that it must have; null: any. @throws WeirError not_found, precondition_failed, conflict */
  update(tenantId: string | null, id: string, changes: Partial<NewRoute>, version: number | null): Promise<Route> {
    return this.repository.alone(tenantId, async (routes) => {
      const all = await routes.list();
      const route = found('route', all.find((one) => one.id === id) ?? null);
      if (version !== null && version !== route.version) throw new WeirError('precondition_failed');
      const changed = { ...route, ...changes };
      assertReached(
        changed,
        all.filter((other) => other !== route),
      );
      return routes.replace(id, changed);
    });
  }

  /** @param version that it must have; null: any. @throws WeirError not_found, precondition_failed */
  async delete(tenantId: string | null, id: string, version: number | null): Promise<void> {
    const route = await this.get(tenantId, id);
    if (!(await this.repository.delete(tenantId, route.id, version))) throw new WeirError('precondition_failed');
  }
}

/** Exact ones go before prefixes and longer prefixes before shorter ones, so only a match that is there twice is never reached. */
function assertReached(route: NewRoute, others: readonly Route[]): void {
  const name = nameOf(route.match);
  const twin = others.find(({ match }) => (match.kind === 'prefix') === (route.match.kind === 'prefix') && nameOf(match) === name);
  if (twin)
    throw new WeirError('conflict', {
      param: 'match',
      message: `This route would never be reached: the route "${twin.name}" matches "${name}" already. Change that one, or match something else.`,
    });
  if (others.some((other) => other.name === route.name))
    throw new WeirError('conflict', { param: 'name', message: `A route named "${route.name}" already exists.` });
}
