/** The distribution, tried as a person would who has only the archive. Begin with {@code DistIT}. */
@NullMarked
package dev.sluice.dist;

import org.jspecify.annotations.NullMarked;
