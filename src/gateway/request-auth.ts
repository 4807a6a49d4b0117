import { Inject, Injectable } from '@nestjs/common';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Caller, CallerDirectory } from '../api-keys/index.js';
import { NetworkIdentities, type NetworkIdentity } from '../inference-local/index.js';
import { endpointAt } from '../kernel/endpoints.js';
import { WeirError } from '../kernel/errors.js';
import { nearest } from '../kernel/nearest.js';
import { CONFIG, type Config } from '../platform/config/index.js';
import { crashPoint } from '../platform/faults/index.js';
import { certificateOf, Networks } from '../platform/listener/index.js';
import type { CallOptions } from './call-options.js';
import { readHead } from './request-head.js';

/** The host name that sandboxes call, without a model or a key of their own. */
const LOCAL_HOST = 'inference.local';
const MAX_TYPING_ERRORS = 3;

/** Libraries want some key, and send one that is none of ours. */
const isOurs = (key: string): boolean => key.startsWith('weir_');

interface Verified {
  caller: Caller;
  options: CallOptions;
  /** It came to `inference.local`. */
  isLocal: boolean;
  /** When the head of the request was read, by `performance.now()`. */
  arrivedAt: number;
}

/** Who makes a request: by its API key, or on `inference.local` by its network identity. A request is verified once, before its body is read. */
@Injectable()
export class RequestAuth {
  private readonly proxies: Networks;
  private readonly verified = new WeakMap<FastifyRequest, Verified>();
  private readonly listeners = new WeakMap<FastifyInstance, string>();

  constructor(
    private readonly callers: CallerDirectory,
    private readonly identities: NetworkIdentities,
    @Inject(CONFIG) config: Pick<Config, 'trustedProxies'>,
  ) {
    this.proxies = new Networks(config.trustedProxies);
  }

  /** Whether an address is a proxy whose `X-Forwarded-For` is believed. */
  trusts = (address: string | undefined): boolean => this.proxies.hold(address);

  /** All that comes in there is for `inference.local`. */
  addListener(app: FastifyInstance, name: string): void {
    this.listeners.set(app, name);
  }

  isLocal(request: FastifyRequest): boolean {
    return this.listeners.has(request.server) || hostOf(request) === LOCAL_HOST;
  }

  /**
   * @throws WeirError invalid_api_key, unknown_network_identity, keys_unconfirmed, tenant_suspended, address_not_allowed, endpoint_not_allowed,
   * key_conflict, invalid_request, unsupported_media_type
   */
  verify(request: FastifyRequest): Verified {
    const known = this.verified.get(request);
    if (known) return known;
    const arrivedAt = performance.now();
    const { key, options } = readHead(request.raw.rawHeaders);
    const isLocal = this.isLocal(request);
    const verified = { caller: this.callerOf(request, key, isLocal), options, isLocal, arrivedAt };
    this.verified.set(request, verified);
    crashPoint('after_auth');
    return verified;
  }

  /** Why the request would not be let in any more; null: it would. */
  refusal(request: FastifyRequest): WeirError | null {
    try {
      this.callerOf(request, readHead(request.raw.rawHeaders).key, this.isLocal(request));
      return null;
    } catch (error) {
      if (error instanceof WeirError) return error;
      throw error;
    }
  }

  private callerOf(request: FastifyRequest, key: string | null, isLocal: boolean): Caller {
    if (isLocal && (key === null || !isOurs(key))) return this.bound(request);
    if (key === null) throw withoutKey(hostOf(request));
    const caller = this.callers.verify(key, () => this.addressOf(request));
    const endpoint = endpointAt(request.routeOptions.url);
    if (endpoint !== null && caller.endpoints && !caller.endpoints.has(endpoint))
      throw new WeirError('endpoint_not_allowed', {
        message: `This API key may not call ${request.routeOptions.url}. Its "endpoints" say what it may.`,
      });
    return caller;
  }

  private bound(request: FastifyRequest): Caller {
    const identity: NetworkIdentity = {
      certificate: certificateOf(request.raw.socket),
      listener: this.listeners.get(request.server) ?? null,
      address: this.addressOf(request),
    };
    const caller = this.identities.find(identity);
    if (caller) return caller;
    throw new WeirError('unknown_network_identity', { message: unbound(identity) });
  }

  /** The address of the connection; of a trusted proxy's, the one that the proxy names. Null: it names none, or there is none. */
  private addressOf({ raw, ip }: FastifyRequest): string | null {
    const { remoteAddress } = raw.socket;
    if (remoteAddress === undefined || !this.trusts(remoteAddress)) return remoteAddress ?? null;
    return this.trusts(ip) ? null : ip;
  }
}

/** Of the connection's own `Host` header, never of one that a proxy forwards. */
const hostOf = ({ raw }: FastifyRequest): string => (raw.headers.host ?? '').toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '');

function withoutKey(host: string): WeirError {
  if (nearest(host, [LOCAL_HOST], MAX_TYPING_ERRORS) === null) return new WeirError('invalid_api_key');
  const message = `No API key was sent to the host "${host}". Did you mean ${LOCAL_HOST}? Any other host needs a key: send it as "Authorization: Bearer <key>".`;
  return new WeirError('invalid_api_key', { message });
}

function unbound({ certificate, listener, address }: NetworkIdentity): string {
  const shown = [
    ...(address === null ? [] : [`the address ${address}`]),
    ...(listener === null ? [] : [`the listener "${listener}"`]),
    ...(certificate === null ? [] : [`the client certificate ${certificate}`]),
  ];
  const seen =
    shown.length === 0
      ? 'the connection comes from a trusted proxy that names no client in X-Forwarded-For'
      : `${shown.join(', ')} ${shown.length === 1 ? 'is' : 'are'} bound to no tenant`;
  return `No Weir API key was sent, and ${seen}. Send a key, or ask the operator for a binding: POST /v1/platform/tenants/{tenant_id}/inference/bindings.`;
}
