import { z } from 'zod';
import { BINDING_KINDS } from '../../inference-local/index.js';
import { SETTERS } from '../../kernel/setter.js';
import { idText, name, Timestamp, text } from '../http/fields.js';

const MAX_TIMEOUT_MS = 86_400_000;

const model = text(512)
  .min(1)
  .refine((id) => id !== '*', { error: 'must be one model' })
  .describe('The model id, as the provider knows it.');
const provider = name.describe('The name of a provider.');

export const PutInferenceRoute = z
  .strictObject({
    provider: provider.describe('The name of a provider of the tenant, or of one that the platform lends it.'),
    model,
    timeout_ms: z
      .number()
      .int()
      .min(1)
      .max(MAX_TIMEOUT_MS)
      .optional()
      .describe('The longest that a call may take. Absent: as long as any call.'),
    verify: z.boolean().default(true).describe('false: save it without asking the model first.'),
  })
  .meta({ example: { provider: 'mock', model: 'echo', timeout_ms: 60_000 } });

export type PutInferenceRoute = z.output<typeof PutInferenceRoute>;

export const PutPlatformInferenceRoute = PutInferenceRoute.extend({
  provider: provider.describe('The name of a platform provider. Tenants without a grant for it cannot use the default.'),
  local: z
    .strictObject({
      provider,
      model,
      probe_seconds: z.number().int().min(5).max(3_600).default(30).describe('How often it is checked.'),
    })
    .optional()
    .describe('A model of the platform that is used instead, while its check succeeds.'),
}).meta({ example: { provider: 'nvidia', model: 'nvidia/nemotron', local: { provider: 'vllm', model: 'local', probe_seconds: 30 } } });

export type PutPlatformInferenceRoute = z.output<typeof PutPlatformInferenceRoute>;

export const InferenceRouteQuery = z.strictObject({
  verify: z.stringbool().default(false).describe('true: ask the model now, with a few small requests, and answer what came in `check`.'),
});

export type InferenceRouteQuery = z.output<typeof InferenceRouteQuery>;

export const InferenceRouteObject = z
  .strictObject({
    object: z.literal('inference_route'),
    set_by: z.enum(SETTERS).describe("`operator`: the platform's default, for tenants that set no route."),
    provider: z.string(),
    model: z.string(),
    timeout_ms: z.number().int().nullable(),
    local: z
      .strictObject({
        provider: z.string(),
        model: z.string(),
        probe_seconds: z.number().int(),
        healthy: z.boolean().describe('What the last check found.'),
        since: Timestamp.describe('Since when it is found so.'),
        checked_at: Timestamp.nullable(),
      })
      .nullable(),
    active: z.strictObject({ provider: z.string(), model: z.string() }).describe('Where calls go now.'),
    callable: z.boolean().describe('Whether calls can be sent there now, as far as Weir knows without asking the provider.'),
    reason: z.string().nullable().describe('Why they cannot.'),
    check: z
      .strictObject({ ok: z.boolean(), class: z.string(), latency_ms: z.number().int(), checked_at: Timestamp })
      .nullable()
      .describe('What a check found just now. null: none was made.'),
    version: z.number().int().describe('The ETag.'),
    updated_at: Timestamp,
  })
  .meta({ id: 'InferenceRoute' });

const binding = {
  value: text(256).min(1),
  project_id: idText('project')
    .optional()
    .describe('The project that its calls count for. Absent: the oldest project, which is `default`.'),
};

export const CreateBinding = z
  .strictObject({
    kind: z.enum(['cidr', 'listener']),
    ...binding,
    value: binding.value.describe('An address or a network, such as 10.1.0.0/16, or the name of a listener in WEIR_INFERENCE_LISTEN.'),
    allow_loopback: z
      .boolean()
      .default(false)
      .describe('Bind addresses of the machine itself too, for an installation where every program on it belongs to this tenant.'),
  })
  .meta({ example: { kind: 'cidr', value: '10.1.0.0/16' } });

export type CreateBinding = z.output<typeof CreateBinding>;

export const CreateCertificateBinding = z
  .strictObject({
    kind: z.literal('client_certificate', { error: 'must be "client_certificate": only an operator binds networks and listeners' }),
    ...binding,
    value: binding.value.describe('The SHA-256 fingerprint of the certificate, in hex.'),
  })
  .meta({ example: { kind: 'client_certificate', value: 'ab'.repeat(32) } });

export type CreateCertificateBinding = z.output<typeof CreateCertificateBinding>;

export const BindingObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('inference_binding'),
    kind: z.enum(BINDING_KINDS),
    value: z.string(),
    project_id: z.string(),
    created_by: z.string(),
    created_at: Timestamp,
  })
  .meta({ id: 'InferenceBinding' });

export const DeletedRoute = z.strictObject({ object: z.literal('inference_route'), deleted: z.literal(true) });
