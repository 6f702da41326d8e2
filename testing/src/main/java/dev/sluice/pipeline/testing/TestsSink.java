package dev.sluice.pipeline.testing;

import dev.sluice.pipeline.BlockSink;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/** Names the sink that a {@link BlockSinkContract} is about. The contract checks that it is that one; in the build of Sluice each sink has one. */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.TYPE)
public @interface TestsSink {
    Class<? extends BlockSink> value();
}
