import { Body, Controller, Get, Inject, Param, Post, Query } from '@nestjs/common';
import { WeirError } from '../../kernel/errors.js';
import { found } from '../../kernel/found.js';
import { GatewaysRepository, LedgerService } from '../../ledger/index.js';
import { LOGGER, type Logger } from '../../platform/telemetry/index.js';
import { Access } from '../http/access.js';
import { Actor } from '../http/admin.js';
import { ListQuery, listOf, pageOf, renderList } from '../http/list.js';
import { idOf } from '../http/path-id.js';
import { Answers } from '../http/route.js';
import { renderForgotten, renderGateway } from './render.js';
import { ForgetGateway, ForgottenGateway, GatewayObject } from './schema.js';

/** Processes that serve calls, and hold money for some although nothing is heard of them. */
@Controller('v1/platform/gateways')
@Access('operator')
export class GatewaysController {
  constructor(
    private readonly gateways: GatewaysRepository,
    private readonly ledger: LedgerService,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  @Get()
  @Answers(
    listOf(GatewayObject),
    'List silent gateways that still hold money. The money is held for open calls, or held apart for calls that were booked as an estimate.',
  )
  async list(@Query({ schema: ListQuery }) query: ListQuery) {
    const { items, hasMore } = pageOf(await this.gateways.silent(), 'gateway', query);
    return renderList(items.map(renderGateway), hasMore);
  }

  @Post(':gateway_id/forget')
  @Answers(
    ForgottenGateway,
    'Forget a gateway whose process has ended. Its open calls are booked as estimates; calls to lent providers are booked for their whole hold. The rest of the money can be spent again. End the process or its machine first: if it is only stopped and resumes later, its bookings can take a budget above its limit.',
  )
  async forget(@Param('gateway_id') given: string, @Actor() actor: string, @Body({ schema: ForgetGateway }) { reason }: ForgetGateway) {
    const id = idOf('gateway', given);
    const gateway = found('gateway', (await this.gateways.silent(id))[0] ?? null);
    if (gateway.alive) {
      throw new WeirError('conflict', {
        message: `This gateway${gateway.host ? ` on ${gateway.host}` : ''} was heard of less than a minute ago. End its process, wait for half a minute, and try again.`,
      });
    }
    const booked = await this.gateways.forget(id, actor, reason);
    await this.ledger.reap();
    this.log.warn({ gateway: given, actor, reason, calls: booked }, 'gateway forgotten');
    return renderForgotten(id, booked, gateway.heldApart);
  }
}
