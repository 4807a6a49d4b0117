import { z } from 'zod';
import { SIGN_IN_METHODS } from '../../people/index.js';
import { idText, name, Timestamp, text } from '../http/fields.js';
import { token } from '../invites/schema.js';
import { email, PersonObject, password } from '../people/schema.js';

const code = text(64).min(1);

export const SignIn = z
  .strictObject({
    email,
    password: text(256).min(1),
    code: code.optional().describe('Of your authenticator app, or a recovery code. Needed where a second factor is set up.'),
    organization: idText('tenant').optional().describe('The tenant, `ten_…`: where the address belongs to several.'),
  })
  .meta({ example: { email: 'ada@example.com', password: 'correct horse battery' } });
export type SignIn = z.output<typeof SignIn>;

export const RedeemLink = z.strictObject({ token }).meta({ example: { token: 'Q0vHh7zvWGg9pVxX1dEJr3m2c6yqk0bXW4b6s0T1u2A' } });
export type RedeemLink = z.output<typeof RedeemLink>;

export const UpdateSelf = z.strictObject({ name }).meta({ example: { name: 'Ada' } });
export type UpdateSelf = z.output<typeof UpdateSelf>;

export const SetPassword = z
  .strictObject({
    current_password: text(256).min(1).optional().describe('Not needed without a password, or after signing in by a link.'),
    new_password: password,
  })
  .meta({ example: { current_password: 'correct horse battery', new_password: 'another horse battery' } });
export type SetPassword = z.output<typeof SetPassword>;

export const SendCode = z.strictObject({ code }).meta({ example: { code: '123456' } });
export type SendCode = z.output<typeof SendCode>;

export const SessionObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('auth.session'),
    is_current: z.boolean().describe('The one that this request came with.'),
    method: z.enum(SIGN_IN_METHODS).describe('How the person signed in.'),
    second_factor: z.boolean().describe('Whether a code was sent as well.'),
    address: z.string(),
    user_agent: z.string().nullable(),
    created_at: Timestamp,
    last_seen_at: Timestamp.describe('To the minute.'),
    expires_at: Timestamp.describe('It ends before, when it is not used for an hour.'),
  })
  .meta({ id: 'Session' });

export const SelfObject = z
  .strictObject({
    object: z.literal('auth.self'),
    user: PersonObject,
    organization: z.strictObject({ id: z.string(), name: z.string() }).nullable().describe('null: an operator of the platform.'),
    session: SessionObject,
  })
  .meta({ id: 'Self' });

/** What a sign-in answers. The cookie is the session. */
export const SignedInObject = z
  .strictObject({ object: z.literal('auth.sign_in'), user_id: z.string(), organization: z.string().nullable() })
  .meta({ id: 'SignedIn' });

export const SignedOutObject = z
  .strictObject({ object: z.literal('auth.sign_out'), signed_out: z.literal(true) })
  .meta({ id: 'SignedOut' });

export const NewSecondFactorObject = z
  .strictObject({
    object: z.literal('auth.totp'),
    secret: z.string().describe('For an authenticator app. Shown only once.'),
    uri: z.string().describe('The same as a QR code carries it.'),
  })
  .meta({ id: 'NewSecondFactor' });

export const RecoveryCodesObject = z
  .strictObject({
    object: z.literal('auth.recovery_codes'),
    codes: z.array(z.string()).describe('Each works once instead of a code. Shown only once.'),
  })
  .meta({ id: 'RecoveryCodes' });

export const SsoStart = z.strictObject({
  organization: idText('tenant').describe('The tenant, `ten_…`.'),
  return_to: z
    .string()
    .max(2_000)
    .regex(/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/, { error: 'must be a path of this installation, such as /usage' })
    .default('/')
    .describe('Where the browser goes afterwards.'),
});
export type SsoStart = z.output<typeof SsoStart>;

/** What the identity provider sends back with the browser: `code` and `state`, or `error`, and more. */
export const SsoCallback = z.looseObject({ state: z.string().max(1_000).optional(), code: z.string().max(4_000).optional() });
