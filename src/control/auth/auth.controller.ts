import { Body, Controller, Delete, Get, Param, Post, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { found } from '../../kernel/found.js';
import { publicId } from '../../kernel/ids.js';
import { AdminSessions, PasswordSignIn, People, SecondFactor, type SignedIn } from '../../people/index.js';
import { TenantsRepository } from '../../tenants/index.js';
import { Access } from '../http/access.js';
import { Actor, Signed } from '../http/admin.js';
import { Browsers } from '../http/browsers.js';
import { deleted } from '../http/fields.js';
import { ListQuery, listOf, pageOf, renderList } from '../http/list.js';
import { idOf } from '../http/path-id.js';
import { Answers, PostOrPatch } from '../http/route.js';
import { renderSelf, renderSession } from './render.js';
import {
  NewSecondFactorObject,
  RecoveryCodesObject,
  SelfObject,
  SendCode,
  SessionObject,
  SetPassword,
  SignedOutObject,
  UpdateSelf,
} from './schema.js';

/** What a person who is signed in does about itself. */
@Controller('v1/auth')
@Access('person')
export class AuthController {
  constructor(
    private readonly people: People,
    private readonly sessions: AdminSessions,
    private readonly passwordSignIn: PasswordSignIn,
    private readonly secondFactor: SecondFactor,
    private readonly tenants: TenantsRepository,
    private readonly browsers: Browsers,
  ) {}

  @Get('me')
  @Answers(SelfObject, 'Read who is signed in.')
  me(@Signed() signed: SignedIn) {
    return this.selfOf(signed);
  }

  @PostOrPatch('me')
  @Answers(SelfObject, 'Change your name. Who administers people changes addresses.')
  async update(@Signed() signed: SignedIn, @Actor() actor: string, @Body({ schema: UpdateSelf }) { name }: UpdateSelf) {
    await this.people.changeSelf(signed.person, { name }, actor);
    return this.selfOf(signed);
  }

  @Post('sign_out')
  @Answers(SignedOutObject, 'Sign out. The session is over at once.')
  async signOut(@Signed() { person, session }: SignedIn, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    await this.sessions.end(person.id, session.id);
    this.browsers.setCookie(request, reply, 'session', null);
    return { object: 'auth.sign_out', signed_out: true };
  }

  @Post('password')
  @Answers(SelfObject, 'Set your password. Your other sessions end.')
  async setPassword(@Signed() signed: SignedIn, @Actor() actor: string, @Body({ schema: SetPassword }) body: SetPassword) {
    const { current_password: current, new_password: password } = body;
    await this.passwordSignIn.setPassword(signed, current, password, actor);
    return this.selfOf(signed);
  }

  @Post('totp')
  @Answers(NewSecondFactorObject, 'Begin to set up a second factor. Codes are asked for once you have confirmed one.')
  async startTotp(@Signed() { person }: SignedIn) {
    return { object: 'auth.totp', ...(await this.secondFactor.start(person)) };
  }

  @Post('totp/confirm')
  @Answers(RecoveryCodesObject, 'Confirm the second factor with a code of your authenticator app. The recovery codes are shown only once.')
  async confirmTotp(@Signed() { person }: SignedIn, @Actor() actor: string, @Body({ schema: SendCode }) { code }: SendCode) {
    return { object: 'auth.recovery_codes', codes: await this.secondFactor.confirm(person, code, actor) };
  }

  @Post('totp/remove')
  @Answers(SelfObject, 'Remove the second factor, with a code of it or a recovery code.')
  async removeTotp(@Signed() signed: SignedIn, @Actor() actor: string, @Body({ schema: SendCode }) { code }: SendCode) {
    await this.secondFactor.remove(signed.person, code, actor);
    return this.selfOf(signed);
  }

  @Get('sessions')
  @Answers(listOf(SessionObject), 'List where you are signed in.')
  async list(@Signed() { person, session }: SignedIn, @Query({ schema: ListQuery }) query: ListQuery) {
    const { items, hasMore } = pageOf(await this.sessions.list(person.id), 'adminSession', query);
    return renderList(
      items.map((one) => renderSession(one, session.id)),
      hasMore,
    );
  }

  @Delete('sessions/:session_id')
  @Answers(deleted('auth.session'), 'End one of your sessions. It is refused from its next request on.')
  async end(@Signed() { person }: SignedIn, @Param('session_id') text: string) {
    const id = idOf('adminSession', text);
    found('adminSession', (await this.sessions.end(person.id, id)) || null);
    return { id: publicId('adminSession', id), object: 'auth.session', deleted: true };
  }

  private async selfOf({ person, ...rest }: SignedIn) {
    const now = found('person', await this.people.find(person.tenantId, person.id));
    return renderSelf({ ...rest, person: now }, person.tenantId === null ? null : await this.tenants.find(person.tenantId));
  }
}
