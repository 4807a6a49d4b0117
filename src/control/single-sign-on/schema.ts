import { z } from 'zod';
import { ROLES } from '../../kernel/permissions.js';
import { Timestamp, text } from '../http/fields.js';
import { roleOfTenant } from '../people/schema.js';

const MAX_DOMAINS = 100;
const MAX_MAPPED = 100;

const domain = z
  .string()
  .toLowerCase()
  .max(253)
  .regex(/^[^\s@/]+\.[^\s@/]+$/, { error: 'must be a domain such as example.com' });

export const PutSingleSignOn = z
  .strictObject({
    issuer: text(1_000).describe('The address of the identity provider, as its ID tokens name it, such as https://login.example.com.'),
    client_id: text(255).min(1),
    client_secret: text(1_000)
      .min(1)
      .nullable()
      .optional()
      .describe('Absent: the one that was set for this issuer before. null: a public client. It is never shown.'),
    allowed_domains: z.array(domain).max(MAX_DOMAINS).default([]).describe('Of email addresses. Empty: any.'),
    role_claim: text(255)
      .min(1)
      .nullable()
      .default(null)
      .describe(
        'The claim that tells the role of a person, such as `groups`: a string, or a list of strings. null: roles are managed here.',
      ),
    roles: z
      .record(text(255).min(1), roleOfTenant)
      .refine((map) => Object.keys(map).length <= MAX_MAPPED, { error: `must have at most ${MAX_MAPPED} keys` })
      .default({})
      .describe('The role for each value of the claim. A person with several gets the highest.'),
    default_role: roleOfTenant
      .nullable()
      .default(null)
      .describe('Of a person to whom the claim gives none. null: that person cannot sign in.'),
    creates_people: z
      .boolean()
      .default(false)
      .describe('Whether a person becomes a member by signing in for the first time, without an invite.'),
    required: z.boolean().default(false).describe('true: members sign in through the provider only. Sessions by password end.'),
    verify: z.boolean().default(true).describe('Whether the document of the provider is read first.'),
  })
  .meta({
    example: {
      issuer: 'https://login.example.com',
      client_id: 'weir',
      client_secret: 'a secret of the provider',
      role_claim: 'groups',
      roles: { 'weir-admins': 'admin' },
      default_role: 'viewer',
      creates_people: true,
    },
  });
export type PutSingleSignOn = z.output<typeof PutSingleSignOn>;

export const SingleSignOnObject = z
  .strictObject({
    object: z.literal('single_sign_on'),
    issuer: z.string(),
    client_id: z.string(),
    has_client_secret: z.boolean(),
    redirect_uri: z.string().describe('Register this with the provider.'),
    allowed_domains: z.array(z.string()),
    role_claim: z.string().nullable(),
    roles: z.record(z.string(), z.enum(ROLES)),
    default_role: z.enum(ROLES).nullable(),
    creates_people: z.boolean(),
    required: z.boolean(),
    version: z.int(),
    updated_at: Timestamp,
  })
  .meta({ id: 'SingleSignOn' });

export const DeletedSingleSignOn = z.strictObject({ object: z.literal('single_sign_on'), deleted: z.literal(true) });
