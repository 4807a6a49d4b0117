import { Injectable } from '@nestjs/common';
import { ConfigChanges } from '../platform/postgres/index.js';
import { cataloguedFacts } from './catalogue.js';
import { type ModelEntry, type ModelFacts, UNKNOWN } from './model-facts.js';
import { ModelsRepository } from './models.repository.js';

/** What is known of models, in memory. What a tenant says goes before the catalogue. */
@Injectable()
export class ModelBook {
  /** By tenant, then by `provider model`. */
  private readonly shelves = new Map<string, Map<string, Said>>();

  constructor(
    private readonly repository: ModelsRepository,
    changes: ConfigChanges,
  ) {
    changes.subscribe((tenantIds) => this.reload(tenantIds));
  }

  /**
   * The same object for the same model, until its tenant says something else of it.
   * @param provider the name of the provider record.
   * @param listed where the vendor itself is meant: its id in the price catalogue, and the model whose facts apply.
   */
  find(tenantId: string, provider: string, model: string, listed: { catalogueId: string | null } | null, treatedAs = model): ModelFacts {
    const known = listed ? cataloguedFacts(listed.catalogueId, treatedAs) : UNKNOWN;
    return this.shelves.get(tenantId)?.get(`${provider} ${model}`)?.over(known) ?? known;
  }

  private async reload(tenantIds: string[] | null): Promise<void> {
    const byTenant = Map.groupBy(await this.repository.list(tenantIds), ({ tenantId }) => tenantId);
    for (const tenantId of tenantIds ?? this.shelves.keys()) if (!byTenant.has(tenantId)) this.shelves.delete(tenantId);
    for (const [tenantId, entries] of byTenant)
      this.shelves.set(tenantId, new Map(entries.map((entry) => [`${entry.provider} ${entry.model}`, new Said(entry)])));
  }
}

/** What a tenant says of a model, over what is known of it: put together once. */
class Said {
  private known: ModelFacts | null = null;
  private facts: ModelFacts = UNKNOWN;

  constructor(private readonly entry: ModelEntry) {}

  over(known: ModelFacts): ModelFacts {
    if (this.known === known) return this.facts;
    const { entry } = this;
    this.known = known;
    this.facts = {
      contextWindow: entry.contextWindow ?? known.contextWindow,
      maxOutputTokens: entry.maxOutputTokens ?? known.maxOutputTokens,
      tools: entry.tools ?? known.tools,
      vision: entry.vision ?? known.vision,
      reasoning: entry.reasoning ?? known.reasoning,
    };
    return this.facts;
  }
}
