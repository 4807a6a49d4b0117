/** Where calls to `inference.local` go. */
export interface InferenceRoute {
  /** Null: the platform's default, for tenants that set none. */
  tenantId: string | null;
  /** The name of a provider, and a model as it knows it. */
  provider: string;
  model: string;
  /** The longest that a call may take; null: as long as any call. */
  timeoutMs: number | null;
  /** Goes before the model while it is healthy; of the platform's default only. */
  local: LocalModel | null;
  /** Rises with each change; the ETag. */
  version: number;
  updatedAt: Date;
}

/** A model that may be away, and is looked at again and again. */
export interface LocalModel {
  provider: string;
  model: string;
  probeSeconds: number;
  /** What the last probe found. */
  healthy: boolean;
  /** Since when it is found so. */
  since: Date;
  /** Null: it was not looked at since it was saved. */
  checkedAt: Date | null;
}

export type NewInferenceRoute = Pick<InferenceRoute, 'tenantId' | 'provider' | 'model' | 'timeoutMs'> & {
  local: Pick<LocalModel, 'provider' | 'model' | 'probeSeconds' | 'healthy'> | null;
};

/** The model that calls go to now. */
export const activeModel = ({ provider, model, local }: Pick<InferenceRoute, 'provider' | 'model' | 'local'>) =>
  local?.healthy ? { provider: local.provider, model: local.model } : { provider, model };
