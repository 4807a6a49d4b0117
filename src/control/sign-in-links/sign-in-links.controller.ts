import { Body, Controller, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { found } from '../../kernel/found.js';
import { publicId } from '../../kernel/ids.js';
import { People, SignInLinks, signInUrl } from '../../people/index.js';
import { Access } from '../http/access.js';
import { Actor } from '../http/admin.js';
import { Browsers } from '../http/browsers.js';
import { unixSeconds } from '../http/fields.js';
import { Answers } from '../http/route.js';
import { CreateSignInLink, SignInLinkObject } from './schema.js';

@Controller('v1/platform/sign_in_links')
@Access('operator')
export class SignInLinksController {
  constructor(
    private readonly people: People,
    private readonly links: SignInLinks,
    private readonly browsers: Browsers,
  ) {}

  @Post()
  @Answers(
    SignInLinkObject,
    'Create a link that signs a person in once, within 10 minutes: for who lost password or second factor, or whose identity provider is away.',
  )
  async create(@Actor() actor: string, @Req() request: FastifyRequest, @Body({ schema: CreateSignInLink }) { user }: CreateSignInLink) {
    const person = found('person', await this.people.findAnywhere(user), 'user');
    const { token, expiresAt } = await this.links.create(person, actor);
    const url = signInUrl(this.browsers.baseUrl(request), token);
    return { object: 'sign_in_link', user: publicId('person', person.id), url, expires_at: unixSeconds(expiresAt) };
  }
}
