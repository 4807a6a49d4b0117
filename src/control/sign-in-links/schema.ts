import { z } from 'zod';
import { idText, Timestamp } from '../http/fields.js';

export const CreateSignInLink = z
  .strictObject({
    user: idText('person').describe('The person that the link signs in, `user_…`.'),
  })
  .meta({ example: { user: 'user_0199f3a0b6d87c3e8f1a2b3c4d5e6f70' } });
export type CreateSignInLink = z.output<typeof CreateSignInLink>;

export const SignInLinkObject = z
  .strictObject({
    object: z.literal('sign_in_link'),
    user: z.string(),
    url: z.string().describe('Signs the person in, once. Shown only here: give it to that person alone.'),
    expires_at: Timestamp,
  })
  .meta({ id: 'SignInLink' });
