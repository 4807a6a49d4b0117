import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { ConfigError } from '../../../platform/config/index.js';
import type { Transport } from '../../../platform/egress/index.js';
import type { Auth } from '../auth.js';
import { tokenUrl } from '../fields.js';
import { ask, type TokenRequest, unavailable } from '../token-request.js';

const IDENTITY_KINDS = [
  'aws_web_identity',
  'aws_container',
  'aws_instance',
  'azure_federated',
  'azure_app_service',
  'azure_instance',
  'google_external_account',
  'google_instance',
] as const;
export type IdentityKind = (typeof IDENTITY_KINDS)[number];

/**
 * What is sealed for a provider of the platform that is called by the identity of Weir's own workload: which one it is. Everything else is in
 * the environment of each process. No request can save it.
 */
export const IdentityCredential = z.strictObject({ type: z.literal('identity'), kind: z.enum(IDENTITY_KINDS) });
export type IdentityCredential = z.output<typeof IdentityCredential>;

/** Who the workload is to its cloud, as the environment tells. */
export interface Identity {
  kind: IdentityKind;
  /** The address inside of the cloud that gives its tokens or keys out; null: none does. */
  endpoint: string | null;
  /** How calls show it. Made once; nothing is asked for before the first call. */
  open(ways: Ways): Auth;
}

/** By what an identity is asked for. */
export interface Ways {
  /** To the endpoints of this process's identities, and nowhere else. */
  inside: Transport;
  /** To where any call may go. */
  outside: Transport;
}

/** A variable of the environment; empty values count as absent. */
export type Variable = (name: string) => string | undefined;

/** The standard address of the metadata service, of AWS, Azure and Google alike. No name leads there, so none can lead elsewhere. */
export const METADATA = 'http://169.254.169.254';

/** The operator's word that the machine is an instance of this cloud and its identity may be used. Else nothing is asked on a guess. */
export const isInstanceOf = (cloud: 'aws' | 'azure' | 'google', variable: Variable): boolean =>
  variable('WEIR_INSTANCE_IDENTITY') === cloud;

/** @throws ConfigError naming the variable */
export const addressFrom = (name: string, text: string): string => checked(name, text, tokenUrl);

/** @throws ConfigError naming the variable, unless its value is as it must be. */
export function checked(name: string, value: string, schema: z.ZodType<string>): string {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new ConfigError([`${name} ${parsed.error.issues[0]!.message}`]);
  return parsed.data;
}

/** What stands in a file now: such files are replaced before what is in them expires. @throws WeirError provider_token_unavailable */
export async function textOf(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: Error): never => {
    throw unavailable(error.message);
  });
  return text.trim();
}

/** Asks inside of the cloud; clients are not told where that is. @throws as {@link ask} */
export const askInside = ({ inside }: Ways, request: TokenRequest): Promise<string> =>
  ask(inside, request, "The cloud refused the identity of this installation's workload.");
