import { Type, type Static } from 'typebox'
import { duration, optionalDuration } from './ops/config-options.ts'
import type { RetentionLimits } from './rooms/retention/lifetime.ts'

/** How long messages are kept. */
export const retentionOptions = Type.Object(
  {
    enabled: Type.Boolean({
      default: false,
      description:
        'Whether messages are removed when they have outlived what their room (m.room.retention) or default_max_lifetime says. There is no way back.',
    }),
    default_max_lifetime: optionalDuration(
      'How long messages live in rooms that do not say it themselves, such as 365d. Without it, for ever.',
    ),
    default_min_lifetime: optionalDuration(
      'How long they are kept at least in rooms that do not say that. A room that wants less is kept this long.',
    ),
    allowed_lifetime_min: optionalDuration(
      'The shortest lifetime: what rooms say is shorter is taken as this. Without it, whoever may set state in a room can have its messages removed at once.',
    ),
    allowed_lifetime_max: optionalDuration(
      'The longest lifetime: what rooms say is longer is taken as this. Rooms that say nothing are as the default is.',
    ),
    purge_every: duration(
      '1d',
      'How often messages that have outlived their time are deleted from the database. Nobody is shown them from the moment on at which they have.',
    ),
  },
  { description: 'How long messages are kept (MSC1763). Rooms’ state is kept for ever.' },
)

export type RetentionConfig = Static<typeof retentionOptions>

/** The limits as they are enforced; undefined while messages live for ever. */
export function retentionLimits(config: RetentionConfig): RetentionLimits | undefined {
  if (!config.enabled) return undefined
  return {
    defaultMin: config.default_min_lifetime,
    defaultMax: config.default_max_lifetime,
    allowedMin: config.allowed_lifetime_min,
    allowedMax: config.allowed_lifetime_max,
  }
}

/** Options that do not go together. */
export function findRetentionConflicts(config: RetentionConfig): { path: string[]; message: string }[] {
  const conflicts: { path: string[]; message: string }[] = []
  const inOrder = (less: keyof RetentionConfig, more: keyof RetentionConfig): void => {
    const [a, b] = [config[less], config[more]]
    if (typeof a === 'number' && typeof b === 'number' && a > b)
      conflicts.push({ path: ['retention', less], message: `must not be more than retention.${more}` })
  }
  inOrder('default_min_lifetime', 'default_max_lifetime')
  inOrder('allowed_lifetime_min', 'allowed_lifetime_max')
  inOrder('allowed_lifetime_min', 'default_max_lifetime')
  inOrder('default_max_lifetime', 'allowed_lifetime_max')
  if (config.purge_every < 60_000)
    conflicts.push({ path: ['retention', 'purge_every'], message: 'must be at least 1m' })
  return conflicts
}
