import { Type } from 'typebox'

/** The option that says which configuration file a command reads. */
export const configOption = Type.Optional(
  Type.String({ description: 'The configuration file. Default: the variable CAUSEWAY_CONFIG, else none' }),
)
