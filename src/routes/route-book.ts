import { Injectable } from '@nestjs/common';
import { ConfigChanges, PLATFORM, replaceOwned } from '../platform/postgres/index.js';
import { nameOf, type Route } from './route.js';
import { RoutesRepository } from './routes.repository.js';

/** Routes in memory. A tenant's go before the platform's, of either the exact ones before prefixes, and of prefixes the longest first. */
@Injectable()
export class RouteBook {
  private readonly shelves = new Map<string, Shelf>();

  constructor(
    repository: RoutesRepository,
    private readonly changes: ConfigChanges,
  ) {
    changes.subscribe((owners) =>
      replaceOwned(owners, this.shelves.keys(), repository.byOwner(owners), (owner, routes) => {
        if (routes.length === 0) this.shelves.delete(owner);
        else this.shelves.set(owner, new Shelf(routes));
      }),
    );
  }

  /** The route that a name matches; null: none. */
  find(tenantId: string, name: string): Route | null {
    return this.shelves.get(tenantId)?.find(name) ?? this.shelves.get(PLATFORM)?.find(name) ?? null;
  }

  /** The names that exact routes and hints of a tenant match, each with its route. */
  named(tenantId: string): ReadonlyMap<string, Route> {
    return new Map([...(this.shelves.get(PLATFORM)?.named ?? []), ...(this.shelves.get(tenantId)?.named ?? [])]);
  }

  /** Of each tenant with a route that has a condition, the least percent that one asks for. */
  conditions(): Map<string, number> {
    const least = new Map<string, number>();
    for (const [tenantId, { leastPercent }] of this.shelves) if (leastPercent !== null) least.set(tenantId, leastPercent);
    return least;
  }

  /** Resolves when every route that was saved before is known here. */
  refresh(): Promise<void> {
    return this.changes.catchUp();
  }
}

/** The routes of one owner. */
export class Shelf {
  /** Of exact matches and hints, by the whole name. */
  readonly named: ReadonlyMap<string, Route>;
  /** Of the conditions of its routes; null: none has one. */
  readonly leastPercent: number | null;
  private readonly prefixes: ReadonlyMap<string, Route>;
  /** How long the prefixes are, the longest first. */
  private readonly lengths: readonly number[];

  constructor(routes: readonly Route[]) {
    const [prefixes, named] = [routes.filter(isPrefix), routes.filter((route) => !isPrefix(route))].map(
      (some) => new Map(some.map((route) => [nameOf(route.match), route])),
    );
    this.named = named!;
    this.prefixes = prefixes!;
    const percents = routes.flatMap(({ when }) => when?.usedPercent ?? []);
    this.leastPercent = percents.length === 0 ? null : Math.min(...percents);
    this.lengths = [...new Set([...this.prefixes.keys()].map(({ length }) => length))].sort((a, b) => b - a);
  }

  find(name: string): Route | null {
    const exact = this.named.get(name);
    if (exact) return exact;
    for (const length of this.lengths) {
      const route = length <= name.length && this.prefixes.get(name.slice(0, length));
      if (route) return route;
    }
    return null;
  }
}

const isPrefix = ({ match }: Route): boolean => match.kind === 'prefix';
