import { Injectable } from '@nestjs/common';
import { ConfigChanges, OwnedMap, PLATFORM } from '../platform/postgres/index.js';
import type { InferenceRoute } from './inference-route.js';
import { InferenceRoutesRepository } from './inference-routes.repository.js';

/** Where calls to `inference.local` go, in memory. */
@Injectable()
export class InferenceRouteBook {
  private readonly routes = new OwnedMap<InferenceRoute>(({ tenantId }) => tenantId ?? PLATFORM);

  constructor(repository: InferenceRoutesRepository, changes: ConfigChanges) {
    changes.subscribe((owners) => this.routes.refill(owners, repository.byOwner(owners)));
  }

  /** A tenant's own route, else the platform's default. Null: there is neither. */
  find(tenantId: string): InferenceRoute | null {
    return this.routes.get(tenantId) ?? this.routes.get(PLATFORM) ?? null;
  }
}
