import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type AdminCaller, actsAs } from '../../kernel/admin-caller.js';
import { publicId } from '../../kernel/ids.js';
import type { Setter } from '../../kernel/setter.js';

/** Who is calling the admin REST, and where. */
export interface Admin {
  caller: AdminCaller;
  /** The tenant it acts inside; null: on the platform. */
  tenantId: string | null;
}

export type AdminRequest = FastifyRequest & { admin: Admin };

export const adminOf = (context: ExecutionContext): Admin => context.switchToHttp().getRequest<AdminRequest>().admin;

/** The tenant a route for tenants acts inside. */
export const TenantId = createParamDecorator((_: unknown, context: ExecutionContext): string => adminOf(context).tenantId!);

/** Who sends the request. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): AdminCaller => adminOf(context).caller);

/** The only project that the caller may see and change; null: all of the tenant. */
export const ProjectId = createParamDecorator((_: unknown, context: ExecutionContext): string | null => {
  const { caller } = adminOf(context);
  return caller.kind === 'operator' ? null : caller.projectId;
});

/** The header with the id of a request, which answers, the log and the audit log have. */
export const REQUEST_ID = 'x-request-id';

export const requestIdOf = (reply: FastifyReply): string => String(reply.getHeader(REQUEST_ID));

/** A caller as records name it. */
export const publicIdOf = ({ id }: AdminCaller): string => publicId('adminKey', id);

/** Who did it, for records. */
export const Actor = createParamDecorator((_: unknown, context: ExecutionContext): string => publicIdOf(adminOf(context).caller));

/** Whose rules it makes: an operator's are the platform's, also inside a tenant. */
export const ActsAs = createParamDecorator((_: unknown, context: ExecutionContext): Setter => actsAs(adminOf(context).caller));
