import { Type, type Static, type TSchema } from 'typebox'
import { isServerName } from '@causeway/matrix/ids/server-name.ts'
import { DEFAULT_ROOM_VERSION, SPECIFIED_ROOM_VERSIONS } from '@causeway/matrix/room-versions/rules.ts'
import type { RateLimits } from './limits/limiter.ts'
import { bytes, dataPath, duration, secret } from './ops/config-options.ts'
import { delayedOptions } from './delayed/delayed-options.ts'
import { emailOptions, findEmailConflicts } from './email-options.ts'
import { findIdentityConflicts, identityOptions } from './identity-options.ts'
import { findMediaConflicts, mediaOptions } from './media-options.ts'
import { findPreviewConflicts, previewOptions } from './preview-options.ts'
import { findSmsConflicts, smsOptions } from './sms-options.ts'
import { findRetentionConflicts, retentionOptions } from './retention-options.ts'
import { findRtcConflicts, rtcOptions } from './rtc-options.ts'
import { federationOptions, findFederationConflicts, oldSigningKeys } from './federation-options.ts'

const text = (standard: string, description: string): ReturnType<typeof Type.String> =>
  Type.String({ default: standard, description })

const flag = (standard: boolean, description: string): ReturnType<typeof Type.Boolean> =>
  Type.Boolean({ default: standard, description })

const count = (standard: number, description: string, more = {}): ReturnType<typeof Type.Integer> =>
  Type.Integer({ default: standard, description, minimum: 0, ...more })

const port = Type.Integer({
  minimum: 0,
  maximum: 65535,
  description: 'The TCP port; 0 lets the system choose.',
})

const listener = Type.Object(
  {
    host: Type.Optional(
      Type.String({
        description: 'The address to listen on: 127.0.0.1 for this machine only, "::" for all.',
      }),
    ),
    port: Type.Optional(port),
    socket: Type.Optional(
      Type.String({ 'x-path': 'data', description: 'A unix socket, instead of host and port.' }),
    ),
    mode: Type.Optional(
      Type.String({ pattern: '^0?[0-7]{3}$', description: 'File mode of the socket, such as "660".' }),
    ),
    tls_cert: Type.Optional(
      Type.String({
        'x-path': 'config',
        description: 'PEM file with the certificate chain, to serve HTTPS without a proxy.',
      }),
    ),
    tls_key: Type.Optional(
      Type.String({ 'x-path': 'config', description: 'PEM file with the key of the certificate.' }),
    ),
    resources: Type.Optional(
      Type.Array(Type.Enum(['client', 'federation']), {
        minItems: 1,
        description:
          'What is served there: client for the API of clients, federation for that of other homeservers. Default: both.',
      }),
    ),
  },
  { description: 'One place to listen.' },
)

const database = Type.Object(
  {
    path: dataPath('causeway.db', 'The SQLite file. Used when no url is given.'),
    url: Type.Optional(
      secret(
        'Address of a PostgreSQL database, such as postgres://user:password@host/causeway. Replaces SQLite.',
      ),
    ),
    pool_size: count(
      4,
      'PostgreSQL connections for reading at most, opened when they are needed; there is one more for writing.',
      {
        minimum: 1,
        maximum: 200,
      },
    ),
  },
  { description: 'Where everything except media is kept. It cannot be exchanged later without a migration.' },
)

const terms = Type.Object({
  id: Type.String({ description: 'A short name that never changes, such as privacy_policy.' }),
  version: Type.String({ description: 'Changes when the text does.' }),
  name: Type.String({ description: 'The title that people see.' }),
  url: Type.String({ pattern: '^https?://', description: 'Where the text can be read.' }),
  language: text('en', 'Language code of title and text.'),
})

const registration = Type.Object(
  {
    mode: Type.Enum(['closed', 'token', 'open'], {
      default: 'closed',
      description:
        'Who may make an account: nobody but whom an administrator invites (closed), whoever has a registration token (token), or everybody (open).',
    }),
    terms: Type.Array(terms, {
      default: [],
      description: 'Documents that must be accepted on registration.',
    }),
    guests: flag(
      false,
      'Whether people may look around without an account: clients make themselves guests, who enter rooms that let them in.',
    ),
    guests_kept: duration(
      '30d',
      'How long a guest who does not come back is kept. Then the account ends, and leaves its rooms; what it said stays. 0: for good.',
    ),
    shared_secret: Type.Optional(
      secret(
        'Lets tools that know it make accounts, administrators too, through /_synapse/admin/v1/register.',
      ),
    ),
  },
  { description: 'How accounts come into being.' },
)

const contact = Type.Object({
  role: text('m.role.admin', 'What it is for: m.role.admin or m.role.security.'),
  matrix_id: Type.Optional(
    Type.String({ pattern: '^@.+:.+', description: 'A Matrix user, best on another server.' }),
  ),
  email_address: Type.Optional(Type.String({ pattern: '^[^@]+@[^@]+$', description: 'An e-mail address.' })),
})

const support = Type.Object(
  {
    contacts: Type.Array(contact, {
      default: [],
      description: 'Whom to turn to; each with a matrix_id, an email_address or both.',
    }),
    page: Type.Optional(
      Type.String({ pattern: '^https?://', description: 'A web page about getting help.' }),
    ),
  },
  { description: 'How people reach the operators: served as /.well-known/matrix/support.' },
)

const serverNotices = Type.Object(
  {
    localpart: text(
      '_server',
      'The local part of the account that notices come from. Nobody can log in to it.',
    ),
    display_name: text('Server notices', 'Its name.'),
    avatar_url: Type.Optional(
      Type.String({ pattern: '^mxc://', description: 'Its picture, and that of the rooms: uploaded media.' }),
    ),
    room_name: text('Server notices', 'The name of the rooms in which people read them.'),
  },
  { description: 'What the server itself tells its users: see `causeway admin notice send`.' },
)

const turn = Type.Object(
  {
    uris: Type.Array(Type.String({ pattern: '^turns?:' }), {
      default: [],
      description: 'Addresses of TURN servers, such as "turn:turn.example.org?transport=udp".',
    }),
    shared_secret: Type.Optional(
      secret('What the TURN server calls static-auth-secret: clients get passwords made from it.'),
    ),
    lifetime_seconds: count(86_400, 'How long such a password is good.', { minimum: 60 }),
  },
  { description: 'The server through which calls go where two people cannot reach each other directly.' },
)

const limitOptions = (perSecond: number, burst: number) => ({
  per_second: Type.Number({
    default: perSecond,
    minimum: 0,
    description: 'Allowed in the long run; 0 lifts the limit.',
  }),
  burst: Type.Integer({ default: burst, minimum: 1, description: 'Allowed at once.' }),
})

const limit = (perSecond: number, burst: number, description: string) =>
  Type.Object(limitOptions(perSecond, burst), { description })

const rateLimits = Type.Object(
  {
    message: limit(10, 100, 'Sending events, per person.'),
    delayed: limit(
      10,
      200,
      'Sending, cancelling and putting off what was scheduled, per person; per address where nobody says who they are.',
    ),
    join: limit(1, 30, 'Joining rooms, per person.'),
    invite: limit(1, 50, 'Inviting, per person.'),
    create_room: limit(0.2, 20, 'Creating rooms, per person.'),
    login: limit(0.2, 20, 'Logging in, per address.'),
    registration: limit(0.05, 10, 'Registering, per address.'),
    profile: limit(0.5, 20, 'Changing name or picture, per person: it is sent to every room.'),
    media: limit(5, 100, 'Uploads and downloads, per person.'),
    preview: limit(0.5, 60, 'Previews of pages, per person.'),
    email: limit(0.02, 10, 'Mails that confirm an address, per address of who asks.'),
    sms: limit(
      0.003,
      5,
      'Text messages that confirm a telephone number, per person; per address where nobody says who they are.',
    ),
    keys: limit(10, 200, 'Encryption keys, per person.'),
    read: limit(100, 2000, 'Everything that only reads, but for syncing, per person.'),
    report: limit(0.1, 20, 'Reporting events, rooms and people to the operators, per person.'),
    admin: limit(50, 500, 'The administration interface, per administrator.'),
    federation: limit(100, 1000, 'Requests of another homeserver, per server.'),
    server_keys: limit(
      2,
      200,
      'Requests for which the key of an unknown homeserver must be fetched first, per address.',
    ),
    sticky: limit(
      20,
      1_000,
      'Sticky events of another homeserver, per server: each lasts for up to an hour and is told to everybody in its room.',
    ),
    application_service: limit(
      500,
      10_000,
      'All that an application service does in the name of whomever, per service: a bridge that runs wild does not take the server along.',
    ),
  },
  {
    description:
      'Token buckets against abuse. Of an application service only all it does together is limited, unless its registration says `rate_limited`. `causeway admin limit` changes limits while the server runs.',
  },
)

const memory = Type.Object(
  { budget: bytes('128M', 'What all caches together may hold. The process needs about 80 MB beside it.') },
  { description: 'How much memory the server may use for caches.' },
)

const log = Type.Object(
  {
    level: Type.Enum(['debug', 'info', 'warn', 'error'], {
      default: 'info',
      description: 'The least important line that is written.',
    }),
    format: Type.Enum(['auto', 'json', 'text'], {
      default: 'auto',
      description:
        'One JSON object a line, or text for people; auto is text at a terminal and JSON elsewhere.',
    }),
  },
  { description: 'What the server says on standard error.' },
)

const admin = Type.Object(
  {
    socket: dataPath(
      'admin.sock',
      'The unix socket for `causeway admin`; whoever may write to it may do anything.',
    ),
    host: text('127.0.0.1', 'The address for metrics and health checks.'),
    port: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 65535,
        description: 'The port for /metrics and /health over TCP. Without it they are on the socket only.',
      }),
    ),
    token: Type.Optional(secret('With this token, admin commands are accepted over TCP as well.')),
  },
  { description: 'The listener for operators: metrics, health, commands.' },
)

const passwordHash = Type.Object(
  {
    memory: bytes('19M', 'Memory per check.'),
    passes: count(2, 'Passes over it.', { minimum: 1, maximum: 20 }),
    parallelism: count(1, 'Lanes.', { minimum: 1, maximum: 16 }),
  },
  { description: 'Cost of checking a password (Argon2id). New values apply to passwords set from then on.' },
)

/** The options of the homeserver, by their place in the configuration file. */
export const homeserverConfigSchema = Type.Object({
  server_name: Type.Refine(
    Type.String({
      default: 'localhost',
      description: 'The part behind the colon in @alice:example.org. It can never be changed later.',
    }),
    (value) => isServerName(value),
    () => 'must be a host name such as example.org',
  ),
  public_base_url: Type.Optional(
    Type.String({
      pattern: '^https?://[^/]+$',
      description:
        'Where clients reach this server. Default: https:// and the server name, or the first listener where that is localhost.',
    }),
  ),
  data_dir: text('./data', 'The folder for everything the server keeps; relative to where it is started.'),
  listeners: Type.Array(listener, {
    default: [{ host: '127.0.0.1', port: 8008 }],
    minItems: 1,
    description: 'Where clients, or the proxy in front, connect.',
  }),
  trusted_proxies: Type.Array(Type.String(), {
    default: [],
    description:
      'Addresses or ranges (10.0.0.0/8) whose X-Forwarded-For is believed, and `unix` for what comes over unix sockets.',
  }),
  database,
  media: mediaOptions,
  signing_key: dataPath(
    'signing.key',
    'The key that signs this server’s events; made on the first start. Keep a copy.',
  ),
  registration,
  password_hash: passwordHash,
  default_room_version: Type.Enum([...SPECIFIED_ROOM_VERSIONS], {
    default: DEFAULT_ROOM_VERSION,
    description: 'The version of new rooms.',
  }),
  presence: Type.Object(
    { enabled: flag(true, 'Whether people see each other’s presence.') },
    { description: 'Online, idle, offline.' },
  ),
  old_signing_keys: oldSigningKeys,
  support,
  server_notices: serverNotices,
  turn,
  rtc: rtcOptions,
  retention: retentionOptions,
  delayed_events: delayedOptions,
  appservices: Type.Array(Type.String({ 'x-path': 'config' }), {
    default: [],
    description: 'Registration files of application services.',
  }),
  federation: federationOptions,
  url_previews: previewOptions,
  email: emailOptions,
  sms: smsOptions,
  identity_servers: identityOptions,
  rate_limits: rateLimits,
  memory,
  log,
  admin,
})

/** The configuration as the server gets it: complete, checked, paths absolute, sizes in bytes. */
export type HomeserverConfig = Static<typeof homeserverConfigSchema>

/** The sections of this package, for whoever merges those of several packages. */
export const homeserverConfigSections: Readonly<Record<string, TSchema>> = homeserverConfigSchema.properties

/** The limits as the rate limiter takes them. */
export function rateLimitsOf(config: Pick<HomeserverConfig, 'rate_limits'>): RateLimits {
  const entries = Object.entries(config.rate_limits).map(([name, { per_second: perSecond, burst }]) => [
    name,
    { perSecond, burst },
  ])
  return Object.fromEntries(entries) as RateLimits
}

/** Where clients reach the server, without a slash at the end. */
export function publicBaseUrl(
  config: Pick<HomeserverConfig, 'public_base_url' | 'server_name' | 'listeners'>,
): string {
  if (config.public_base_url !== undefined) return config.public_base_url
  const { host, port: number } = config.listeners.find((one) => one.port !== undefined) ?? {}
  const local = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(config.server_name)
  if (!local || number === undefined) return `https://${config.server_name}`
  return `http://${host === '127.0.0.1' || host === undefined ? 'localhost' : host}:${number}`
}

/** A sentence about two options that do not go together, and the path of one of them. */
export interface ConfigConflict {
  readonly path: readonly string[]
  readonly message: string
}

/** Checks that no schema of a single option can express. */
export function checkHomeserverConfig(config: HomeserverConfig): ConfigConflict[] {
  const conflicts: ConfigConflict[] = []
  for (const [index, one] of config.listeners.entries()) {
    const path = ['listeners', String(index)]
    if ((one.socket === undefined) === (one.port === undefined)) {
      conflicts.push({ path, message: 'needs either a port or a socket' })
    }
    if ((one.tls_cert === undefined) !== (one.tls_key === undefined)) {
      conflicts.push({ path, message: 'needs both tls_cert and tls_key, or neither' })
    }
  }
  if (config.database.url !== undefined && !/^postgres(ql)?:\/\//.test(config.database.url)) {
    conflicts.push({ path: ['database', 'url'], message: 'must begin with postgres://' })
  }
  for (const [index, one] of config.support.contacts.entries()) {
    if (one.matrix_id !== undefined || one.email_address !== undefined) continue
    const path = ['support', 'contacts', String(index)]
    conflicts.push({ path, message: 'needs a matrix_id or an email_address' })
  }
  if (config.turn.uris.length > 0 && config.turn.shared_secret === undefined) {
    conflicts.push({ path: ['turn', 'shared_secret'], message: 'is needed where there are uris' })
  }
  conflicts.push(...findRtcConflicts(config.rtc))
  conflicts.push(...findFederationConflicts(config.federation, config.old_signing_keys))
  conflicts.push(...findMediaConflicts(config.media), ...findRetentionConflicts(config.retention))
  conflicts.push(...findPreviewConflicts(config.url_previews), ...findEmailConflicts(config.email))
  conflicts.push(...findSmsConflicts(config.sms))
  conflicts.push(...findIdentityConflicts(config.identity_servers, config.federation.enabled))
  const budget = config.memory.budget
  if (budget < 16 * 1024 * 1024) {
    conflicts.push({
      path: ['memory', 'budget'],
      message: 'must be at least 16M: below that every cache is useless',
    })
  }
  return conflicts
}
