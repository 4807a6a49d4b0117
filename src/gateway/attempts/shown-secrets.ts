import type { Work } from '../../kernel/slices.js';
import { Secret } from '../../platform/crypto/index.js';
import type { ShownHeaders } from '../../providers/index.js';
import { SecretWatch } from './secret-watch.js';

const secretsByHeaders = new WeakMap<ShownHeaders, readonly Secret[]>();

/** What must not come back of the headers that show a credential. Most credentials are shown by the same ones each time. */
function secretsIn(shown: ShownHeaders): readonly Secret[] {
  let secrets = secretsByHeaders.get(shown);
  if (!secrets) {
    secrets = shown.filter((value, at) => at % 2 === 1 && value !== '').map((value) => new Secret(value.replace(/^Bearer /, '')));
    secretsByHeaders.set(shown, secrets);
  }
  return secrets;
}

/** What a provider was shown is for nobody else, whatever it answers. */
export class ShownSecrets {
  /** What the credential was shown by. */
  shown: ShownHeaders = [];
  private watch: SecretWatch | null = null;

  /** @param headers of the provider's record. */
  constructor(private readonly headers: readonly (readonly [string, Secret])[]) {}

  get all(): readonly Secret[] {
    const shown = secretsIn(this.shown);
    return this.headers.length === 0 ? shown : [...shown, ...this.headers.map(([, value]) => value)];
  }

  /** Whether these pieces, with those before them, repeat one. */
  *areIn(pieces: readonly Buffer[]): Work<boolean> {
    for (const piece of pieces) if (yield* this.watched.search(piece)) return true;
    return false;
  }

  private get watched(): SecretWatch {
    this.watch ??= new SecretWatch(this.all);
    return this.watch;
  }
}
