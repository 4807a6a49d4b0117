import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AdminSessions, Devices, type Proof } from '../../people/index.js';
import { Browsers } from '../http/browsers.js';
import { renderProof } from './render.js';

/** Where all ways to sign in end: with a new session in a cookie. */
@Injectable()
export class SignIns {
  constructor(
    private readonly sessions: AdminSessions,
    private readonly devices: Devices,
    private readonly browsers: Browsers,
  ) {}

  /** @throws WeirError https_required */
  async complete(proof: Proof, request: FastifyRequest, reply: FastifyReply) {
    const origin = { address: request.ip, userAgent: request.headers['user-agent'] ?? null };
    const token = await this.sessions.open(proof, origin, this.browsers.cookie(request, 'session'));
    this.browsers.setCookie(request, reply, 'session', token);
    this.browsers.setCookie(request, reply, 'device', this.devices.cookieOf(proof.personId));
    return renderProof(proof);
  }
}
