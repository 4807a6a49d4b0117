import { Module } from '@nestjs/common';
import { SessionBook } from './session-book.js';
import { SessionsRepository } from './sessions.repository.js';

@Module({ providers: [SessionsRepository, SessionBook], exports: [SessionBook] })
export class SessionsModule {}
