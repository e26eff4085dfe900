import { Type } from 'typebox'
import { changeLimit } from '../../limits/adjusted-limits.ts'
import { defineAdminCommand } from '../command.ts'
import { limitTarget, nameOf, readLimitTarget } from '../limit-target.ts'

export const command = defineAdminCommand({
  usage: '<action>',
  summary: 'Set how much of something is allowed, to everybody or to one of them, at once and for good',
  input: Type.Object({
    ...limitTarget,
    perSecond: Type.Number({
      minimum: 0,
      maximum: 1_000_000,
      description: 'Allowed in the long run, to a thousandth; 0 lifts the limit',
    }),
    burst: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 10_000_000,
        description: 'Allowed at once; ten seconds’ worth if it is not said',
      }),
    ),
  }),
  run: async (hs, { perSecond, burst, ...target }) => {
    const key = readLimitTarget(hs, target)
    const limit = { perSecond, burst: burst ?? Math.max(1, Math.ceil(perSecond * 10)) }
    await changeLimit(hs, key, limit)
    return { action: key.action, of: nameOf(key), per_second: limit.perSecond, burst: limit.burst }
  },
})
