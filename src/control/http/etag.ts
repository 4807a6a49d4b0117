import { applyDecorators, type CanActivate, createParamDecorator, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ApiHeader } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { WeirError } from '../../kernel/errors.js';

const HEADER = 'if-match';
const ANY = '*';

const Checked = Reflector.createDecorator<true>();

/** The route changes a thing with an ETag only if it has the version that `If-Match` asks for. */
export const ChecksIfMatch = () =>
  applyDecorators(Checked(true), ApiHeader({ name: 'If-Match', required: false, description: 'The ETag of the version to change.' }));

/** The version that `If-Match` asks for; null: any. @throws WeirError precondition_failed for what was never an ETag of ours. */
export const IfMatch = createParamDecorator((_: unknown, context: ExecutionContext): number | null => {
  const given = ifMatchOf(context);
  if (given === undefined || given === ANY) return null;
  const version = /^"?(\d{1,9})"?$/.exec(given)?.[1];
  if (version === undefined) throw new WeirError('precondition_failed');
  return Number(version);
});

/** Refuses a change with an `If-Match` that its route would not check: who sends one relies on it. */
@Injectable()
export class IfMatchGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  /** @throws WeirError invalid_request */
  canActivate(context: ExecutionContext): boolean {
    const { method } = context.switchToHttp().getRequest<FastifyRequest>();
    const given = ifMatchOf(context);
    if (method === 'GET' || given === undefined || given === ANY || this.reflector.get(Checked, context.getHandler())) return true;
    throw new WeirError('invalid_request', {
      param: 'If-Match',
      message: 'Nothing with an ETag is changed here, so If-Match cannot be checked. Leave it out.',
    });
  }
}

const ifMatchOf = (context: ExecutionContext): string | undefined => context.switchToHttp().getRequest<FastifyRequest>().headers[HEADER];
