import { Module } from '@nestjs/common';
import { AdminSessionsRepository } from './admin-sessions.repository.js';
import { AdminSessions } from './admin-sessions.service.js';
import { Devices } from './devices.js';
import { Directory } from './directory.service.js';
import { InvitesRepository } from './invites.repository.js';
import { Invites } from './invites.service.js';
import { OpenIdConnect } from './open-id-connect.js';
import { PasswordSignIn } from './password-sign-in.js';
import { Passwords } from './passwords.js';
import { PeopleRepository } from './people.repository.js';
import { People } from './people.service.js';
import { SecondFactor } from './second-factor.service.js';
import { SignInLinksRepository } from './sign-in-links.repository.js';
import { SignInLinks } from './sign-in-links.service.js';
import { SignInThrottle } from './sign-in-throttle.js';
import { SingleSignOnRepository } from './single-sign-on.repository.js';
import { SingleSignOns } from './single-sign-on.service.js';

@Module({
  providers: [
    PeopleRepository,
    AdminSessionsRepository,
    InvitesRepository,
    SignInLinksRepository,
    SingleSignOnRepository,
    Passwords,
    SignInThrottle,
    Devices,
    OpenIdConnect,
    People,
    Directory,
    AdminSessions,
    Invites,
    PasswordSignIn,
    SecondFactor,
    SignInLinks,
    SingleSignOns,
  ],
  exports: [People, Directory, AdminSessions, Devices, Invites, PasswordSignIn, SecondFactor, SignInLinks, SingleSignOns],
})
export class PeopleModule {}
