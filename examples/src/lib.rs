//! Examples of The Hive's libraries
