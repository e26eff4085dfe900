import { Type, type Static } from 'typebox'
import { duration } from '../ops/config-options.ts'

/** What clients may have sent later. */
export const delayedOptions = Type.Object(
  {
    max_delay: duration('24h', 'The longest delay; 0: this server sends nothing later.'),
    max_per_user: Type.Integer({
      default: 100,
      minimum: 0,
      maximum: 1_000,
      description: 'How many events somebody may have scheduled at a time; 0: none.',
    }),
  },
  {
    description:
      'Events that clients have sent later (MSC4140): calls live by them, since the event that somebody has left is scheduled when they join, and put off for as long as their client is there.',
  },
)

export type DelayedConfig = Static<typeof delayedOptions>

/** The limits as they are enforced and told; undefined when nothing is sent later. */
export function delayedLimits(
  config: DelayedConfig,
): { readonly maxDelayMs: number; readonly maxScheduled: number } | undefined {
  const { max_delay: maxDelayMs, max_per_user: maxScheduled } = config
  return maxDelayMs === 0 || maxScheduled === 0 ? undefined : { maxDelayMs, maxScheduled }
}
