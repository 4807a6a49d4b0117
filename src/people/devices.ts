import { timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Id } from '../kernel/ids.js';
import { Keyring } from '../platform/crypto/index.js';
import { newToken, tokenDigest } from './token.js';

/**
 * Tells a browser that a person signed in on before, by a cookie that signs nobody in: `<device>.<mac of person and device>`. Nothing is stored.
 */
@Injectable()
export class Devices {
  constructor(private readonly keyring: Keyring) {}

  /** A cookie for the next sign-in. */
  cookieOf(personId: Id): string {
    const device = newToken();
    return `${device}.${this.macOf(personId, device).toString('base64url')}`;
  }

  /** The device, if this person signed in on it before. */
  deviceOf(personId: Id, cookie: string | null): string | null {
    const [device = '', mac = ''] = cookie?.split('.') ?? [];
    const given = Buffer.from(mac, 'base64url');
    const expected = this.macOf(personId, device);
    return given.length === expected.length && timingSafeEqual(given, expected) ? device : null;
  }

  private macOf(personId: Id, device: string): Buffer {
    return tokenDigest(this.keyring.pepper, 'device', `${personId}|${device}`);
  }
}
